// saver folder|file TARGET CONTENT: writes what the fault tests look for, through the code under test. The
// exit status is that of the command; the message goes to the standard error.
#include <cstdio>
#include <string>

#include "mgd/core/error.h"
#include "mgd/core/publish.h"

int main(int argc, char** argv) {
  if (argc != 4) return static_cast<int>(mgd::ExitCode::usage);
  const std::string kind = argv[1], target = argv[2], content = argv[3];
  try {
    if (kind == "file") {
      mgd::write_file_atomic(target, content);
    } else {
      mgd::DirectoryPublisher publisher(target);
      publisher.add("a.bin", content + std::string(2000, 'a'));
      publisher.add("b.bin", content + std::string(10, 'b'));
      publisher.publish();
    }
    return 0;
  } catch (const mgd::Error& error) {
    std::fputs(error.what(), stderr);
    return static_cast<int>(error.code());
  }
}
