#include "mgd/cli/console.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "mgd/core/clock.h"
#include "mgd/core/memory.h"

namespace mgd {

namespace {

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

std::string duration(double seconds) {
  const auto s = static_cast<long>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string progress_text(const Progress& p) {
  std::string text =
      fmt::format("epoch {}/{} step {}/{} loss {:.3f}", p.epoch, p.epochs, p.step, p.total_steps, p.loss);
  if (p.parts.size() > 1)
    for (const auto& [label, value] : p.parts) text += fmt::format(" {} {:.3f}", label, value);
  text += fmt::format(" {:.0f}/s ETA {} wait {:.1f}% {:.1f} GB", p.throughput, duration(p.eta_seconds),
                      100 * p.wait_frac, static_cast<double>(resident_bytes()) / 1e9);
  return text;
}

}  // namespace

Console::Console(bool quiet, const std::string& color)
    : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {
  color_ = color == "always" || (color == "auto" && terminal_ && std::getenv("NO_COLOR") == nullptr);
  last_drawn_ = now_seconds();
}

Console Console::progress_only(bool quiet, const std::string& color) {
  Console console(quiet, color);
  console.notes_ = false;
  return console;
}

void Console::clear_line() {
  if (line_drawn_) std::fputs("\r\x1b[2K", stderr);
  line_drawn_ = false;
}

void Console::note(const std::string& text) {
  if (!quiet_ && notes_) warn(text);
}

void Console::warn(const std::string& text) {
  clear_line();
  fmt::print(stderr, "{}\n", text);
}

void Console::stage(const std::string& text) {
  note(color_ ? fmt::format("\x1b[1m{}\x1b[0m", text) : text);
}

void Console::draw(const Progress& progress) {
  if (quiet_) return;
  const double now = now_seconds();
  if (now - last_drawn_ < (terminal_ ? 0.1 : 30.0)) return;
  last_drawn_ = now;
  std::string text = progress_text(progress);
  if (!terminal_) {
    fmt::print(stderr, "{}\n", text);
    return;
  }
  if (text.size() >= terminal_width()) text.resize(terminal_width() - 1);
  fmt::print(stderr, "\r\x1b[2K{}", text);
  std::fflush(stderr);
  line_drawn_ = true;
}

void Console::progress(const Progress& progress) {
  if (first_progress_ == 0) first_progress_ = now_seconds();
  if (!told_eta_ && now_seconds() - first_progress_ > 5) {
    told_eta_ = true;
    note(fmt::format("expected time: {} at {:.0f} samples/s", duration(progress.eta_seconds),
                     progress.throughput));
  }
  draw(progress);
}

}  // namespace mgd
