/* SPDX-License-Identifier: Apache-2.0 */
/* What each fuzz target defines. */
#pragma once

#include "basic/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
