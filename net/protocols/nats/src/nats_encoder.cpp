#include <troupe/nats/nats_encoder.hpp>

#include <charconv>

namespace troupe::nats_encoder {

namespace {

void append_number(std::string& out, std::uint64_t n) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

void append_subjects(std::string& out, std::string_view subject, std::string_view reply) {
  out += subject;
  out += ' ';
  if (!reply.empty()) {
    out += reply;
    out += ' ';
  }
}

} // namespace

void append_publish_line(std::string& out, std::string_view subject, std::string_view reply,
                         std::size_t payload) {
  out += "PUB ";
  append_subjects(out, subject, reply);
  append_number(out, payload);
  out += "\r\n";
}

void append_publish_line(std::string& out, std::string_view subject, std::string_view reply,
                         std::size_t headers, std::size_t payload) {
  out += "HPUB ";
  append_subjects(out, subject, reply);
  append_number(out, headers);
  out += ' ';
  append_number(out, headers + payload);
  out += "\r\n";
}

void append_publish(std::string& out, std::string_view subject, std::string_view reply,
                    std::string_view header_block, std::string_view payload) {
  if (header_block.empty())
    append_publish_line(out, subject, reply, payload.size());
  else
    append_publish_line(out, subject, reply, header_block.size(), payload.size());
  out += header_block;
  out += payload;
  out += "\r\n";
}

void append_subscribe(std::string& out, std::string_view pattern, std::string_view queue,
                      std::uint64_t sid) {
  out += "SUB ";
  append_subjects(out, pattern, queue);
  append_number(out, sid);
  out += "\r\n";
}

void append_unsubscribe(std::string& out, std::uint64_t sid, std::uint64_t after) {
  out += "UNSUB ";
  append_number(out, sid);
  if (after != 0) {
    out += ' ';
    append_number(out, after);
  }
  out += "\r\n";
}

} // namespace troupe::nats_encoder
