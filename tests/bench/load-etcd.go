// SPDX-License-Identifier: Apache-2.0

// load-etcd ENDPOINT CLIENTS SECONDS [SIZE]: so many clients of an etcd, by etcd's own client library, put one value of that size after
// the other, each waiting until its own is committed. Each has a connection of its own, as load-node's have.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const keys = 50000

type result struct {
	usec []int
	err  error
}

func client(c *clientv3.Client, end time.Time, value string, seed int64) (r result) {
	random := rand.New(rand.NewSource(seed))
	// What is under way when the time is over is waited for, and counts.
	for time.Now().Before(end) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		key := fmt.Sprintf("/bench/%05d", random.Intn(keys))
		begun := time.Now()
		_, err := c.Put(ctx, key, value)
		cancel()
		if err != nil {
			r.err = err
			return
		}
		r.usec = append(r.usec, int(time.Since(begun).Microseconds()))
	}
	return
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "load-etcd: ENDPOINT CLIENTS SECONDS [SIZE] wanted")
		os.Exit(2)
	}
	n, _ := strconv.Atoi(os.Args[2])
	seconds, _ := strconv.ParseFloat(os.Args[3], 64)
	size := 100
	if len(os.Args) > 4 {
		size, _ = strconv.Atoi(os.Args[4])
	}
	clients := make([]*clientv3.Client, n)
	for i := range clients {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 10 * time.Second})
		if err == nil {
			_, err = c.Get(context.Background(), "/bench/00000") // the connection stands
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "load-etcd:", err)
			os.Exit(1)
		}
		clients[i] = c
	}
	results := make([]result, n)
	var wait sync.WaitGroup
	begun := time.Now()
	end := begun.Add(time.Duration(seconds * float64(time.Second)))
	for i := range clients {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			results[i] = client(clients[i], end, strings.Repeat("x", size), begun.UnixNano()+int64(i))
		}(i)
	}
	wait.Wait()
	elapsed := time.Since(begun).Seconds()
	var all []int
	for _, r := range results {
		if r.err != nil {
			fmt.Fprintln(os.Stderr, "load-etcd:", r.err)
			os.Exit(1)
		}
		all = append(all, r.usec...)
	}
	sort.Ints(all)
	if len(all) == 0 {
		fmt.Println("rate 0 0 0 0")
		return
	}
	fmt.Printf("rate %.2f %d %d %d\n", float64(len(all))/elapsed, all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
}
