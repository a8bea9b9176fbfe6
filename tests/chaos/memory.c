/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what malloc() keeps of a program whose memory is looked at, which is what GLIBC_TUNABLES= says: not the program, which may keep
 * some MiB to be quicker, so that what it holds would not be seen for them. */
#include <malloc.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int mallopt(int parameter, int value) {
        return 1;
}
