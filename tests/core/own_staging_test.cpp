#include "mgd/core/own_staging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/scratch.h"
#include "mgd/core/error.h"
#include "mgd/core/publish.h"
#include "mgd/core/publish_file.h"

namespace mgd {
namespace {

using OwnStaging = Scratch;

std::set<std::string> names_there(const fs::path& at) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(at)) names.insert(entry.path().filename().string());
  return names;
}

TEST_F(OwnStaging, GoesWithAllThatIsInItAndNothingElseDoes) {
  write_file_atomic(folder / "kept.txt", "kept");
  DirectoryPublisher model(folder / "model");
  for (int i = 0; i < 300; ++i) model.add(fmt::format("file{}.bin", i), "bytes");  // more than one call lists
  model.add("1_Pooling/config.json", "{}");
  OutputFile open = model.create("large.bin");
  FilePublisher graph(folder / "model.onnx");
  graph.write("half of it");
  const std::string other = fmt::format(".tmp-other-{}-0", ::getpid());  // nobody holds it
  fs::create_directory(folder / other);
  ASSERT_EQ(names_there(folder).size(), 4U);
  remove_own_staging();
  EXPECT_THAT(names_there(folder), testing::ElementsAre(other, "kept.txt"));
  remove_own_staging();  // nothing left to do
}

TEST_F(OwnStaging, WhatIsPublishedStays) {
  DirectoryPublisher model(folder / "model");
  model.add("a.bin", "a");
  model.publish();
  remove_own_staging();
  EXPECT_EQ(verify_manifest(folder / "model"), "");
}

// A killed writer leaves what the next one beside it removes.
TEST_F(OwnStaging, AKilledWritersGoesWithTheNextPublication) {
  for (const char* name : {".tmp-model-1-0", ".tmp-other.onnx-1-0"}) fs::create_directory(folder / name);
  DirectoryPublisher model(folder / "model");
  model.add("a.bin", "a");
  model.publish();
  EXPECT_THAT(names_there(folder), testing::ElementsAre("model"));
  fs::create_directory(folder / ".tmp-model-1-0");
  FilePublisher graph(folder / "model.onnx");
  graph.finish();
  graph.publish();
  EXPECT_THAT(names_there(folder), testing::ElementsAre("model", "model.onnx"));
}

}  // namespace
}  // namespace mgd
