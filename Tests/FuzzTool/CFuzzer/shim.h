#pragma once
#include <stddef.h>
#include <stdint.h>

// libFuzzer's own entry (FuzzerInterface.h); the library is linked by script/fuzz only.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*user_callback)(const uint8_t *data, size_t size));
