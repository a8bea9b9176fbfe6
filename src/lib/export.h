/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of what applications may call; all else is hidden. The list of the symbols is libconfd-ha.sym. */
#pragma once

#define _public_ __attribute__((visibility("default")))
