#include <nlohmann/json.hpp>

#include "mgd/report/sections.h"

namespace mgd {
namespace {

using Json = nlohmann::ordered_json;

void fold(Html& html, const std::string& title, const std::string& text) {
  if (text.empty()) return;
  html.open("details", {{"class", "card"}}).element("summary", title);
  html.open("pre", {{"tabindex", "0"}}).block(text).close("pre").close("details");
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_flat(const Json& value) {
  if (!value.is_structured()) return true;
  if (value.is_object() || value.size() > 32) return false;
  for (const auto& item : value) {
    if (item.is_structured()) return false;
  }
  return true;
}

// {"cpu": {"cores": 2}} -> a row "cpu.cores | 2".
void add_rows(Html& html, const std::string& prefix, const Json& object) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (!is_flat(value)) {
      add_rows(html, name, value);
      continue;
    }
    std::string text;
    if (value.is_array()) {
      for (const auto& item : value) text += (text.empty() ? "" : ", ") + scalar_text(item);
    } else {
      text = scalar_text(value);
    }
    html.open("tr").element("th", name, {{"scope", "row"}}).element("td", text).close("tr");
  }
}

void fold_json(Html& html, const std::string& title, const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.empty()) return fold(html, title, text);
  html.open("details", {{"class", "card"}}).element("summary", title);
  html.open("div", {{"class", "scroll"}}).open("table", {{"class", "plain keys"}}).open("tbody");
  add_rows(html, "", json);
  html.close("tbody").close("table").close("div").close("details");
}

}  // namespace

void render_details(Html& html, const ReportData& data) {
  fold(html, "Configuration", data.config_yaml);
  fold_json(html, "Environment", data.environment_json);
  fold_json(html, "Data", data.data_report_json);
}

}  // namespace mgd
