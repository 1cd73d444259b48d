// Makes a graph smaller without changing what it computes.
#pragma once

#include "mgd/export/graph.h"

namespace mgd {

// Constants are computed, batch norms go into the weights of the convolution before them, and padding with
// zeros goes into the convolution behind it. Constants keep their type: fold in double, then
// to_float().
void simplify(Graph& graph);

// Every double constant becomes a float.
void to_float(Graph& graph);

// Nodes are named by the layer whose weights they hold, otherwise by what they make.
void name_nodes(Graph& graph);

}  // namespace mgd
