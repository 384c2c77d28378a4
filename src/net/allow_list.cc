#include "net/allow_list.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "net/url.h"

namespace bascule::net {
namespace {

Error bad_entry(std::string_view text) {
  return invalid_argument(
      fmt::format("'{}' names no host that may be asked; write one as pictures.example, "
                  "pictures.example:8080, *.example.org or *.",
                  text::escape_controls(text::shortened(text))));
}

}  // namespace

Result<AllowList::Entry> AllowList::parse_entry(std::string_view text) {
  Entry entry;
  std::string_view host = text;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && (text.front() != '[' || text[colon - 1] == ']')) {
    const auto port = text::parse_int(text.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return bad_entry(text);
    entry.port = static_cast<std::uint16_t>(*port);
    host = text.substr(0, colon);
  }
  if (host == "*") {
    entry.any = true;
    return entry;
  }
  entry.below = host.starts_with("*.");
  // Read as the host of a URL is, so that both are written alike.
  const Result<Url> url = Url::parse(fmt::format("http://{}/", entry.below ? host.substr(2) : host));
  if (!url || host.empty() || host.find_first_of("/?#@\\") != std::string_view::npos) return bad_entry(text);
  entry.host = entry.below ? "." + url->host() : url->host();
  return entry;
}

Result<AllowList> AllowList::parse(std::span<const std::string> entries) {
  AllowList list;
  for (const std::string& text : entries) {
    BASCULE_ASSIGN(Entry entry, parse_entry(text::trimmed(text)));
    list.entries_.push_back(std::move(entry));
  }
  return list;
}

AllowList AllowList::all() {
  AllowList list;
  list.all_ = true;
  return list;
}

bool AllowList::allows(std::string_view host, std::uint16_t port) const {
  return all_ || std::ranges::any_of(entries_, [&](const Entry& entry) {
           const bool right_port = entry.port ? port == *entry.port : port == 80 || port == 443;
           if (!right_port) return false;
           if (entry.any) return true;
           return entry.below ? host.size() > entry.host.size() && host.ends_with(entry.host)
                              : host == entry.host;
         });
}

}  // namespace bascule::net
