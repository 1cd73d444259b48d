// The one stack of Transformer layers; what architectures differ in are options and names.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/nn/transformer_layer.h"
#include "mgd/types/tokens.h"

namespace mgd {

struct StackNames {
  const char* path = "";  // within the prefix
  const char *tokens = nullptr, *positions = nullptr, *types = nullptr, *embedding_norm = nullptr;
  const char* embeddings = "embeddings";  // a node: what the first layer reads
  const char* layers = nullptr;           // of layer i: LAYERS.i
  const char* final_norm = nullptr;
  LayerNames layer = {};
};

struct StackOptions {
  std::int64_t vocab_size = 0, hidden = 0, positions = 0, position_offset = 0, types = 0, padding = -1;
  double embedding_scale = 1, embedding_dropout = 0, norm_eps = 1e-12, deviation = 0.02;
  bool norm_bias = true;
  std::vector<LayerOptions> layers;
};

// What a pass over a stack needs besides its tokens.
struct StackPass {
  std::vector<std::int64_t> ids;             // of each sequence, for dropout
  at::Tensor memory;                         // (M, H): what a decoder attends to
  std::vector<std::int64_t> memory_offsets;  // S + 1
  KvCache* cache = nullptr;                  // decoding: begin() was called
};

class TransformerStack : public Module {
 public:
  // `shared`: a table of token vectors that belongs to somebody else; nullptr: its own.
  TransformerStack(const StackNames& names, const StackOptions& options, Embedding* shared,
                   RandomStream& random);

  // (N, H), after the last norm. Error(usage) for an id beyond the vocabulary and a position beyond the
  // table.
  at::Tensor forward(const PackedTokens& tokens, const StackPass& pass, Forward& forward);

  const Embedding& tokens() const { return *tokens_; }
  std::string layer_path(std::size_t layer) const { return layers_.at(layer)->path(); }
  // Whether the node is one of its own, a row a token.
  bool has_node(std::string_view node) const;
  std::size_t num_layers() const { return layers_.size(); }
  const LayerOptions& layer_options(std::size_t layer) const { return layers_.at(layer)->options(); }
  std::string embeddings_node() const;  // what the first layer reads
  std::vector<KvCache::Layer> project_source(const at::Tensor& memory, Forward& forward);

 private:
  at::Tensor embed(const PackedTokens& tokens, const at::Tensor& positions, const SampleRows& rows,
                   Forward& forward);

  StackOptions options_;
  std::string embeddings_node_;
  Embedding *tokens_ = nullptr, *positions_ = nullptr, *types_ = nullptr;
  LayerNorm *embedding_norm_ = nullptr, *final_norm_ = nullptr;
  Dropout* embedding_dropout_ = nullptr;
  std::vector<TransformerLayer*> layers_;
};

}  // namespace mgd
