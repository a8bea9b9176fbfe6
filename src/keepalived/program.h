/* SPDX-License-Identifier: Apache-2.0 */
/* The program's three faces: notify program, worker, track script. */
#pragma once

/* Returns the exit status. */
int program_run(int argc, char **argv);
