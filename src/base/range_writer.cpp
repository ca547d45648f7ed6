#include "base/range_writer.h"

#include <array>

#include "base/error.h"

namespace walsh {

bool RangeWriter::announce(std::string name, std::uint64_t begin, std::uint64_t size) {
  return ranges_.try_emplace(std::move(name), Range{begin, begin + size}).second;
}

void RangeWriter::write_header(std::span<const std::byte> header) {
  file_.write_at(0, header);
  data_ = header.size();
}

void RangeWriter::append(std::string_view name, std::span<const std::byte> bytes) {
  const auto it = ranges_.find(name);
  if (it == ranges_.end()) fail("{} was not announced", name);
  Range& range = it->second;
  if (bytes.size() > range.end - range.next)
    fail("{}: {} bytes, {} are left", name, bytes.size(), range.end - range.next);
  file_.write_at(data_ + range.next, bytes);
  range.next += bytes.size();
}

void RangeWriter::pad_to(std::uint64_t size) {
  if (size > data_) file_.write_at(size - 1, std::array{std::byte{0}});
}

void RangeWriter::publish() {
  for (const auto& [name, range] : ranges_)
    if (range.next != range.end) fail("{}: {} bytes are missing", name, range.end - range.next);
  file_.publish();
}

}  // namespace walsh
