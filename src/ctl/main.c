/* SPDX-License-Identifier: Apache-2.0 */
/* Owns nothing but main(): everything else is in the library that the tests link too. */
#include "basic/process-setup.h"
#include "ctl/ctl.h"

int main(int argc, char **argv) {
        if (process_setup(SIG_DFL) < 0)
                return EXIT_FAILURE;
        return ctl_main(argc, argv);
}
