#include <troupe/net/detail/output_queue.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace troupe::detail {

namespace {

// Below it, copying costs less than one more entry in the system call and an atomic count.
constexpr std::size_t worth_sharing = 1024;

} // namespace

chunk_pool::~chunk_pool() {
  while (free_ != nullptr) {
    auto* chunk = std::exchange(free_, free_->next);
    chunk->~output_chunk();
    ::operator delete(chunk);
  }
}

output_chunk* chunk_pool::take(std::size_t room) {
  if (room <= usual_room && free_ != nullptr) {
    --kept_;
    auto* chunk = std::exchange(free_, free_->next);
    chunk->next = nullptr;
    return chunk;
  }
  room = std::max(room, usual_room);
  auto* chunk = ::new (::operator new(sizeof(output_chunk) + room)) output_chunk;
  chunk->capacity = room;
  return chunk;
}

void chunk_pool::give_back(output_chunk* chunk) noexcept {
  if (chunk->capacity == usual_room && kept_ < kept_at_most) {
    chunk->begin = chunk->end = 0;
    chunk->shared = {};
    chunk->next = std::exchange(free_, chunk);
    ++kept_;
    return;
  }
  chunk->~output_chunk();
  ::operator delete(chunk);
}

void output_queue::push(output_chunk* chunk) noexcept {
  (last_ != nullptr ? last_->next : first_) = chunk;
  last_ = chunk;
}

void output_queue::append(bytes_view data) {
  size_ += data.size();
  if (last_ != nullptr && last_->shared.empty()) {
    const auto fits = std::min(data.size(), last_->capacity - last_->end);
    std::memcpy(last_->own() + last_->end, data.data(), fits);
    last_->end += fits;
    data = data.subspan(fits);
  }
  if (data.empty())
    return;
  auto* chunk = pool_.take(data.size());
  std::memcpy(chunk->own(), data.data(), data.size());
  chunk->end = data.size();
  push(chunk);
}

void output_queue::append(const shared_bytes& data) {
  if (data.size() < worth_sharing)
    return append(data.view());
  auto* chunk = ::new (::operator new(sizeof(output_chunk))) output_chunk;
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
