#include <troupe/net/detail/output_queue.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace troupe::detail {

namespace {

void drop(output_chunk* chunk) noexcept {
  chunk->~output_chunk();
  ::operator delete(chunk);
}

} // namespace

chunk_pool::~chunk_pool() {
  for (auto* shelf : {&heads_, &small_, &large_})
    while (shelf->free != nullptr)
      drop(std::exchange(shelf->free, shelf->free->next));
}

output_chunk* chunk_pool::take(std::size_t room, bool first) {
  return from(first && room <= small_.room ? small_ : large_, room);
}

output_chunk* chunk_pool::take_head() {
  return from(heads_, 0);
}

inline output_chunk* chunk_pool::from(shelf& shelf, std::size_t room) {
  if (room <= shelf.room && shelf.free != nullptr) {
    --shelf.kept;
    auto* chunk = std::exchange(shelf.free, shelf.free->next);
    chunk->next = nullptr;
    return chunk;
  }
  room = std::max(room, shelf.room);
  auto* chunk = ::new (::operator new(sizeof(output_chunk) + room)) output_chunk;
  chunk->capacity = room;
  return chunk;
}

void chunk_pool::give_back(output_chunk* chunk) noexcept {
  for (auto* shelf : {&small_, &heads_, &large_}) {
    if (chunk->capacity != shelf->room || shelf->kept == shelf->kept_at_most)
      continue;
    chunk->begin = chunk->end = 0;
    chunk->shared = {};
    chunk->next = std::exchange(shelf->free, chunk);
    ++shelf->kept;
    return;
  }
  drop(chunk);
}

void output_queue::push(output_chunk* chunk) noexcept {
  (last_ != nullptr ? last_->next : first_) = chunk;
  last_ = chunk;
}

void output_queue::append_apart(bytes_view data) {
  size_ += data.size();
  if (last_ != nullptr && last_->shared.empty()) {
    const auto fits = std::min(data.size(), last_->capacity - last_->end);
    std::memcpy(last_->own() + last_->end, data.data(), fits);
    last_->end += fits;
    data = data.subspan(fits);
  }
  if (data.empty())
    return;
  auto* chunk = pool_.take(data.size(), first_ == nullptr);
  std::memcpy(chunk->own(), data.data(), data.size());
  chunk->end = data.size();
  push(chunk);
}

void output_queue::append_shared(const shared_bytes& data) {
  auto* chunk = pool_.take_head();
  chunk->shared = data;
  chunk->end = data.size();
  push(chunk);
  size_ += data.size();
}

void output_queue::clear() noexcept {
  while (first_ != nullptr)
    pool_.give_back(std::exchange(first_, first_->next));
  last_ = nullptr;
  size_ = 0;
}

std::size_t output_queue::gather(std::span<iovec> out) const noexcept {
  std::size_t used = 0;
  for (auto* chunk = first_; chunk != nullptr && used < out.size(); chunk = chunk->next)
    out[used++] = {const_cast<std::byte*>(chunk->data()) + chunk->begin, chunk->end - chunk->begin};
  return used;
}

void output_queue::consume(std::size_t count) noexcept {
  size_ -= count;
  while (count > 0) {
    const auto here = std::min(count, first_->end - first_->begin);
    first_->begin += here;
    count -= here;
    if (first_->begin != first_->end)
      return;
    pool_.give_back(std::exchange(first_, first_->next));
  }
  if (first_ == nullptr)
    last_ = nullptr;
}

} // namespace troupe::detail
