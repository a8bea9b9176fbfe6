/* SPDX-License-Identifier: Apache-2.0 */
/* What a program makes sure of before anything else, whatever it was started with. */
#pragma once

#include <signal.h>

#include "basic/util.h"

/* Descriptors 0 to 2 that are closed become /dev/null: else the next file that is opened is where words for standard error go.
 * SIGCHLD gets its default, since an ignored one lets nobody wait for a child; no signal stays blocked. sigpipe: SIG_IGN, or
 * SIG_DFL for a program whose output may be cut short. To be called first in main(). A negative errno when there is no /dev/null:
 * the program has to end, and has nowhere to say so. */
_must_check_ int process_setup(sighandler_t sigpipe);

/* For a program that others may send large messages: what they took is given back to the system. By itself malloc() would learn
 * from the first that such sizes are usual, and keep them. What is smaller than `large` bytes is kept for the next of its size, and of
 * free memory as much as `kept`: a program that moves much in blocks of some size is slower if that is all given back, too. */
void process_give_memory_back(int large, int kept);

/* For a program that holds secrets: no core file is made of it, and no other process of its user may look into it; unless its
 * limit for core files (`ulimit -c`, LimitCORE=) says that core files are wanted. */
void process_hide_memory(void);
