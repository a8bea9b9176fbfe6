/* SPDX-License-Identifier: Apache-2.0 */
/* Owns nothing but main(): everything else is in the library that the tests link too. */
#include "ctl/ctl.h"

int main(int argc, char **argv) {
        return ctl_main(argc, argv);
}
