// The last stage of encoding: special tokens around the texts, and white space out of the offsets.
#pragma once

#include <memory>

#include "mgd/text/json_place.h"
#include "mgd/text/token_list.h"

namespace mgd {

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  // `lists` holds one text or two; afterwards the pieces that make up the result, in order.
  virtual void apply(std::vector<TokenList>& lists, bool add_special) const = 0;
  virtual std::size_t num_added(bool is_pair) const = 0;  // tokens that apply() puts in
  virtual bool is_template() const { return false; }      // makes more or fewer lists than it got
};

// The `post_processor` of a tokenizer.json. Throws Error(bad_data) for a kind that is not known here. The
// pieces of its special tokens point into the processor.
std::unique_ptr<const PostProcessor> read_post_processor(const JsonPlace& json, int depth = 0);
std::unique_ptr<const PostProcessor> read_template(const JsonPlace& json);

}  // namespace mgd
