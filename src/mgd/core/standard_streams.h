// The three streams of a command, and how they fail.
//
//   int main() {
//     prepare_standard_streams();
//     const int code = ...;                 // prints to stdout, tells to stderr
//     return close_standard_output(code);   // 74 when what was printed has not arrived
//   }
#pragma once

namespace mgd {

// First in main. A stream that the caller has closed is taken by one that refuses reading or writing: the
// next file that is opened would get its number otherwise, and be written over. What cannot be written to
// stderr is dropped, because a run must not end for want of somebody who listens. A write beyond the limit on
// the size of a file (SIGXFSZ) and one to a reader that has left (SIGPIPE) become errors of that write.
void prepare_standard_streams();

// Last in main, whatever happened before. Writes out what stdout still holds and returns `exit_code`, or
// ExitCode::io, with a line on stderr, where that is 0 and not everything that was printed has arrived. A
// reader that has left ends the process quietly, as SIGPIPE does in other commands. `write_error`: the errno
// of a write that failed before, where it is known.
int close_standard_output(int exit_code, int write_error = 0);

// Whether a write to stdout has failed so far.
bool standard_output_failed();

}  // namespace mgd
