/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the proof of what the service does when what it keeps cannot be written: its runtime directory is full, and the disk under
 * its state directory is full or does not come back. Each directory is a file system of its own, in a mount namespace of the test's. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "harness.h"

/* The processes of the test before this one saw the file systems of others: nothing shall be left behind. */
static void own_namespace(void) {
        static bool done;

        if (done)
                return;
        done = true;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                skip();
}

static int setup_files(void **state) {
        own_namespace();
        return setup_stopped(state);
}

static void run(struct fixture *f) {
        service_start(f);
        service_wait_connected(f);
}

static void fill(struct fixture *f, const char *name) {
        int fd = open(in_dir(f, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        char byte = 'x';

        CHECK(f, fd >= 0);
        while (write(fd, &byte, 1) == 1)
                ;
        CHECK(f, errno == ENOSPC);
        safe_close(fd);
}

/* A directory of the fixture's as a file system of its own, of that size. */
static void mount_small(struct fixture *f, const char *name, const char *options) {
        const char *dir = in_dir(f, name);

        (void) mkdir(dir, 0755);
        CHECK(f, mount("tmpfs", dir, "tmpfs", 0, options) == 0);
}

/* An old one would be wrong after the next restart. */
static void a_full_runtime_directory_keeps_no_old_node_id(void **state) {
        struct fixture *f = *state;

        mount_small(f, "run", "size=64k,mode=777");
        run(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK(f, access(in_dir(f, "run/node-id"), F_OK) == 0);
        fill(f, "run/filler");
        /* Removing the old one leaves room enough. */
        CALL_OK(f, "BeMaster", "s", "n1b");
        CHECK(f, access(in_dir(f, "run/node-id"), F_OK) == 0);
        CHECK(f, trace_count(&f->service.trace, "*cannot be written*") == 0);
        /* Unless it does not. */
        CHECK(f, link(in_dir(f, "run/node-id"), in_dir(f, "run/held")) == 0);
        CALL_OK(f, "BeMaster", "s", "n2");
        EXPECT(f, &f->service.trace, "*node-id: cannot be written*No space left on device*");
        CHECK(f, access(in_dir(f, "run/node-id"), F_OK) < 0);
        service_kill(f);
        run(f);
        WAIT_PROPERTY(f, "State", "'master'");
        CHECK_PROPERTY(f, "NodeId", "''");
        /* There is room again. */
        CHECK(f, unlink(in_dir(f, "run/filler")) == 0);
        CALL_OK(f, "BeMaster", "s", "n3");
        CHECK(f, access(in_dir(f, "run/node-id"), F_OK) == 0);
        CHECK(f, umount2(in_dir(f, "run"), MNT_DETACH) == 0);
}

/* ---- a disk that does not come back ---- */

static int frozen_fd = -EBADF;

static void mount_state(struct fixture *f) {
        const char *dir = in_dir(f, "state");

        if (system(kept(f, "mkdir -p %s && truncate -s 8M %s/image && mkfs.ext4 -q %s/image && mount -o loop %s/image %s && chmod 777 %s",
                        dir, f->dir, f->dir, f->dir, dir, dir)) != 0) {
                print_message("# skipped: this machine cannot make and mount a file system\n");
                skip();
        }
        frozen_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(f, frozen_fd >= 0);
}

static void freeze(struct fixture *f) {
        CHECK(f, ioctl(frozen_fd, FIFREEZE, 0) == 0);
}

static void thaw(void) {
        if (frozen_fd >= 0)
                (void) ioctl(frozen_fd, FITHAW, 0);
}

static int teardown_files(void **state) {
        struct fixture *f = *state;
        int r;

        thaw();
        r = teardown(state);
        frozen_fd = safe_close(frozen_fd);
        (void) f;
        return r;
}

static void unmount_state(struct fixture *f) {
        frozen_fd = safe_close(frozen_fd);
        CHECK(f, service_stop(f) == 0);
        CHECK(f, umount2(in_dir(f, "state"), MNT_DETACH) == 0);
}

/* Nobody waits for it but a BeSlave, which is what makes the old record wrong. */
static void a_disk_that_hangs_stalls_nobody(void **state) {
        struct fixture *f = *state;
        struct call *a;
        uint64_t begun;

        mount_state(f);
        configure(f, "[ConfD]\nRequestTimeoutSec=3\n");
        run(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' 0 'lasts')");
        freeze(f);
        begun = now_monotonic();
        CALL_OK(f, "BeNone", "");
        CHECK(f, now_monotonic() - begun < 3 * USEC_PER_SEC);
        CHECK_PROPERTY(f, "State", "'none'");
        EXPECT(f, &f->service.trace, "*state directory is slow*");
        /* What it says is what is on disk. */
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' 0 'lasts')");
        /* From now on nobody is kept waiting. */
        begun = now_monotonic();
        CALL_OK(f, "BeMaster", "s", "n2");
        CALL_OK(f, "Status", "");
        CALL_OK(f, "BeNone", "");
        CHECK(f, now_monotonic() - begun < 900 * USEC_PER_MSEC);
        /* But the data are not overwritten while the disk says that they are a master's. */
        a = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", (int) true);
        CALL_OK(f, "Status", "");
        CHECK(f, sim_count(f, "{order,{2,*") == 0);
        CHECK(f, strstr(WAIT_CALL_FAILS(f, a, HAD_ERROR("Timeout")), "was not given"));
        CHECK(f, sim_count(f, "{order,{2,*") == 0);
        CHECK_PROPERTY(f, "Synchronizing", "false");
        /* It goes out as soon as the disk has it. */
        a = call_start(f->root, "BeSlave", "sssb", "n2", "n1", "10.0.0.1", (int) true);
        CALL_OK(f, "Status", "");
        thaw();
        WAIT_CALL_OK(f, a);
        WAIT_PROPERTY(f, "LastInSync", "('slave' 'n1' '10.0.0.1' 0 'lasts')");
        EXPECT(f, &f->root->trace, "changed* LastInSync=('slave' 'n1' '10.0.0.1' 0 'lasts')*");
        unmount_state(f);
}

/* Its last words are waited for, and not for ever. */
static void it_ends_while_the_disk_hangs(void **state) {
        struct fixture *f = *state;

        mount_state(f);
        run(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        freeze(f);
        CALL_OK(f, "BeNone", "");
        CHECK(f, kill(f->service.pid, SIGTERM) == 0);
        EXPECT(f, &f->service.trace, "*is still not on disk*");
        /* A process whose disk hangs is the kernel's; what it had to do is done. */
        thaw();
        CHECK(f, service_wait_exit(f) == 0);
        frozen_fd = safe_close(frozen_fd);
        CHECK(f, umount2(in_dir(f, "state"), MNT_DETACH) == 0);
}

/* The old record, which is wrong by now, makes room for the new one. */
static void a_full_disk_keeps_no_old_record(void **state) {
        struct fixture *f = *state;

        mount_small(f, "state", "size=8k,mode=777");
        run(f);
        CALL_OK(f, "BeMaster", "s", "n1");
        fill(f, "state/filler");
        CALL_OK(f, "BeNone", "");
        service_kill(f);
        run(f);
        CHECK_PROPERTY(f, "LastInSync", "('master' 'n1' '' * 'order')");
        CHECK(f, service_stop(f) == 0);
        CHECK(f, umount2(in_dir(f, "state"), MNT_DETACH) == 0);
}

#define FILES(test) cmocka_unit_test_setup_teardown(test, setup_files, teardown_files)

int main(void) {
        static const struct CMUnitTest tests[] = {
                FILES(a_full_runtime_directory_keeps_no_old_node_id),
                FILES(a_disk_that_hangs_stalls_nobody),
                FILES(it_ends_while_the_disk_hangs),
                FILES(a_full_disk_keeps_no_old_record),
        };

        return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
