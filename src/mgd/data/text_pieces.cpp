#include "mgd/data/text_pieces.h"

namespace mgd {

namespace {

// White space that may go from the end of one piece to the start of the next, and a line end.
constexpr std::size_t kMostMoved = 1000, kRoom = kMostMoved + 1;

}  // namespace

PieceReader::PieceReader(const fs::path& path, PieceEnd end)
    : path_(path), lines_(path, kMaxPieceBytes - kRoom), end_(end) {
  read_ahead();
  if (ahead_.starts_with("\xEF\xBB\xBF")) ahead_.erase(0, 3);
}

void PieceReader::read_ahead() {
  has_ahead_ = lines_.next(ahead_);
}

bool PieceReader::next(TextPiece& piece) {
  return end_ == PieceEnd::line ? next_line(piece) : next_of_file(piece);
}

bool PieceReader::next_line(TextPiece& piece) {
  if (!has_ahead_) return false;
  piece.text = std::move(ahead_);
  piece.line = line_;
  const bool broken = piece.text.ends_with('\n');
  if (broken) piece.text.pop_back();
  if (broken && piece.text.ends_with('\r')) piece.text.pop_back();
  read_ahead();
  piece.ends = broken || !has_ahead_;
  line_ += broken ? 1 : 0;
  return true;
}

// Gathers lines. The white space at the end of a full piece goes to the next one.
bool PieceReader::next_of_file(TextPiece& piece) {
  if (!has_ahead_) return false;
  piece.text.clear();
  piece.line = 1;
  while (has_ahead_ && piece.text.size() + ahead_.size() <= kMaxPieceBytes) {
    piece.text += ahead_;
    read_ahead();
  }
  piece.ends = !has_ahead_;
  const std::size_t end = piece.text.find_last_not_of(" \t\r\n") + 1;
  if (piece.ends || end == 0 || piece.text.size() - end > kMostMoved) return true;
  ahead_.insert(0, piece.text, end);
  piece.text.resize(end);
  return true;
}

}  // namespace mgd
