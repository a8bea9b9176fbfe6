/* SPDX-License-Identifier: Apache-2.0 */
/* Owns nothing but main(): everything else is in the library that the tests link too. */
#include "keepalived/program.h"

int main(int argc, char **argv) {
        return program_run(argc, argv);
}
