// CHECK: our own bugs end the process at once, in release builds too, with the place and the broken rule on stderr.
// Bad input is a value and a broken world is an exception (StoreError); neither belongs here.
// Included by .cc files only: doctest has a macro of the same name.
#pragma once

namespace leadline {

[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace leadline

#define CHECK(condition) ((condition) ? static_cast<void>(0) : ::leadline::check_failed(#condition, __FILE__, __LINE__))
