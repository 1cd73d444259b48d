// Writing HTML: escaping, and a writer that cannot leave an element open.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// Text for one line of a page or for an attribute: & < > " ' become entities. Line breaks, tabs and other
// control characters (terminal escapes among them) become their visible signs, U+2400 ...; bidirectional
// overrides, which can make a name read as another, and bytes that are not UTF-8 become U+FFFD.
std::string escape_html(std::string_view text);

// The same for a block of text, whose line breaks and tabs stay.
std::string escape_html_block(std::string_view text);

struct HtmlAttribute {
  std::string name;   // ours, never of a user
  std::string value;  // escaped by the writer
};
using HtmlAttributes = std::vector<HtmlAttribute>;

// Element and attribute names are ours; every text and attribute value is escaped.
class Html {
 public:
  Html& open(const std::string& tag, const HtmlAttributes& attributes = {});
  Html& close(std::string_view tag);  // asserts that `tag` is the innermost open one
  Html& empty(const std::string& tag, const HtmlAttributes& attributes = {});  // <img>, <meta>, <path>, ...
  Html& text(std::string_view text);
  Html& block(std::string_view text);  // for <pre>
  Html& element(const std::string& tag, std::string_view text, const HtmlAttributes& attributes = {});
  Html& raw(std::string_view markup);  // constants of ours only (style sheet, doctype)

  std::string take();  // asserts that everything is closed

 private:
  void start(const std::string& tag, const HtmlAttributes& attributes);

  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace mgd
