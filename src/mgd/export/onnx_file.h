// A graph as an ONNX file.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mgd/core/publish_file.h"
#include "mgd/export/graph.h"

namespace mgd {

struct OnnxHeader {
  std::string name, version;                                  // of the graph; of this program
  std::vector<std::pair<std::string, std::string>> metadata;  // metadata_props
};

// Writes the graph and finishes the file, which is not published yet.
void write_graph(const Graph& graph, const OnnxHeader& header, FilePublisher& file);

}  // namespace mgd
