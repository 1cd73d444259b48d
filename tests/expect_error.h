// What tests of several folders need.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "mgd/core/error.h"

namespace mgd {

// Runs `f`, expects an Error with this exit code, and gives its message.
template <class F>
std::string error_of(ExitCode expected, const F& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace mgd
