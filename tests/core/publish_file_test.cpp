#include "mgd/core/publish_file.h"

#include <gtest/gtest.h>

#include "core/scratch.h"
#include "expect_error.h"

namespace mgd {
namespace {

class PublishFile : public Scratch {};

TEST_F(PublishFile, StandsOnlyOncePublished) {
  const fs::path target = folder / "model.onnx";
  write_file_atomic(target, "old");
  const std::string large(200'000, 'x');
  {
    FilePublisher file(target);
    file.write("new ");
    file.write(large);
    file.finish();
    EXPECT_EQ(read_file(file.staged()), "new " + large);
    EXPECT_EQ(read_file(target), "old");
    file.publish();
  }
  EXPECT_EQ(read_file(target), "new " + large);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(PublishFile, NothingIsLeftOfOneThatIsNot) {
  const fs::path target = folder / "model.onnx";
  write_file_atomic(target, "old");
  {
    FilePublisher file(target);
    file.write("new");
    file.finish();
  }
  EXPECT_EQ(read_file(target), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(PublishFile, AFolderOrAMissingParentIsRefusedAtOnce) {
  error_of(ExitCode::cannot_create, [&] { FilePublisher file(folder); });
  error_of(ExitCode::cannot_create, [&] { FilePublisher file(folder / "none" / "model.onnx"); });
}

}  // namespace
}  // namespace mgd
