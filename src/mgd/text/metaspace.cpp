#include "mgd/text/metaspace.h"

#include "mgd/core/error.h"
#include "mgd/text/component.h"

namespace mgd {

namespace {

class Metaspace final : public PreTokenizer {
 public:
  explicit Metaspace(const MetaspaceOptions& options)
      : options_(options), replacement_(to_utf8(options.replacement)) {}

  void apply(SplitText& text) const override {
    SplitText out;
    out.text.start = text.text.start;
    out.text.reserve(text.text.bytes.size() * 5 / 4 + 8);
    for (const Split& split : text.splits) {
      const std::size_t begin = out.text.bytes.size();
      if (split.added_token >= 0)
        out.text.append(text.text, split.begin, split.end);
      else
        mark_spaces(text.text, split, out.text);
      out.splits.push_back({begin, out.text.bytes.size(), split.added_token});
    }
    text = std::move(out);
    if (!options_.split) return;
    const auto find = [this](std::string_view piece, std::vector<Match>& matches) {
      find_characters(
          piece, [this](char32_t c) { return c == options_.replacement; }, matches);
    };
    cut(text, find, SplitBehavior::merged_with_next);
  }

 private:
  void mark_spaces(const AlignedText& in, const Split& split, AlignedText& out) const {
    const std::string_view piece = std::string_view(in.bytes).substr(split.begin, split.end - split.begin);
    const bool marked = piece.starts_with(' ') || piece.starts_with(replacement_);
    const bool wanted = options_.prepend == PrependScheme::always ||
                        (options_.prepend == PrependScheme::first && in.origins[split.begin].begin == 0);
    if (wanted && !marked) out.put(replacement_, in.origins[split.begin]);
    for (std::size_t i = split.begin; i < split.end; ++i) {
      if (in.bytes[i] == ' ')
        out.put(replacement_, in.origins[i]);
      else
        out.append(in, i, i + 1);
    }
  }

  MetaspaceOptions options_;
  std::string replacement_;
};

}  // namespace

MetaspaceOptions read_metaspace_options(const JsonPlace& json) {
  MetaspaceOptions out{.replacement = json.at("replacement").character(),
                       .split = json.boolean_or("split", true)};
  const std::string scheme = json.text_or("prepend_scheme", "always");
  if (scheme == "first")
    out.prepend = PrependScheme::first;
  else if (scheme == "never")
    out.prepend = PrependScheme::never;
  else if (scheme != "always")
    refuse_component(json, scheme, "prepend_scheme", {"first", "never", "always"});
  if (!json.boolean_or("add_prefix_space", true)) {
    if (json.find("prepend_scheme") && out.prepend != PrependScheme::never)
      json.refuse("add_prefix_space is false, but prepend_scheme is not 'never'");
    out.prepend = PrependScheme::never;
  }
  return out;
}

std::unique_ptr<const PreTokenizer> read_metaspace(const JsonPlace& json) {
  return std::make_unique<Metaspace>(read_metaspace_options(json));
}

}  // namespace mgd
