#include "http/reply.h"

#include <chrono>

#include <fmt/format.h>

#include "http/content_coding.h"

namespace bascule::http {

namespace {

// What a browser wants to hear before a page of another origin may ask, or read an answer.
void put_sharing(std::string& out, std::string_view origin, bool preflight) {
  out.append("\r\nAccess-Control-Allow-Origin: ").append(origin);
  if (origin != "*") out.append("\r\nVary: Origin");
  if (!preflight) {
    out.append(
        "\r\nAccess-Control-Expose-Headers: Inference-Header-Content-Length, Retry-After, retry-after-ms, "
        "Bascule-Timing, traceparent");
    return;
  }
  out.append(
      "\r\nAccess-Control-Allow-Methods: GET, HEAD, POST"
      "\r\nAccess-Control-Allow-Headers: Authorization, x-api-key, Content-Type, Content-Encoding, "
      "Inference-Header-Content-Length, Request-Timeout-Ms, Bascule-Debug, traceparent"
      "\r\nAccess-Control-Max-Age: 600");
}

}  // namespace

std::string_view status_text(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

std::string timing_text(const content::Stages& stages) {
  return fmt::format("queue={:.3f};prepare={:.3f};run={:.3f};finish={:.3f}", to_ms(stages.queue),
                     to_ms(stages.prepare), to_ms(stages.run), to_ms(stages.finish));
}

void write_head(std::string& out, const Reply& reply, const ReplyForm& form, std::string_view server) {
  out.clear();
  const auto put = [&out](auto... pieces) { (out.append(pieces), ...); };
  const auto number = [](char(&buffer)[24], std::size_t value) {
    return std::string_view(buffer, fmt::format_to(buffer, "{}", value));
  };
  char buffer[24];
  put("HTTP/1.1 ", number(buffer, reply.status), " ", status_text(reply.status), "\r\nServer: ", server);
  if (reply.status != 204) {
    put("\r\nContent-Type: ", reply.content_type);
    if (!reply.stream) {
      put("\r\nContent-Length: ", number(buffer, reply.body.size()));
    } else if (!form.http10) {  // which ends with the connection
      put("\r\nTransfer-Encoding: chunked");
    }
  }
  if (reply.body.binary || reply.json_length) {
    put("\r\nInference-Header-Content-Length: ",
        number(buffer, reply.json_length.value_or(reply.body.head.size())));
  }
  if (reply.coding) put("\r\nContent-Encoding: ", coding_name(*reply.coding));
  if (reply.coding || reply.body.size() >= kWorthPacking) put("\r\nVary: Accept-Encoding");
  if (!reply.allow.empty()) put("\r\nAllow: ", std::string_view(reply.allow));
  if (reply.status == 401) put("\r\nWWW-Authenticate: Bearer");
  if (!form.shared_with.empty()) put_sharing(out, form.shared_with, reply.preflight);
  if (!form.traceparent.empty()) put("\r\ntraceparent: ", form.traceparent);
  if (reply.retry_after > Duration{}) {
    using std::chrono::ceil;
    using std::chrono::milliseconds;
    using std::chrono::seconds;
    put("\r\nRetry-After: ",
        number(buffer, static_cast<std::size_t>(ceil<seconds>(reply.retry_after).count())));
    put("\r\nretry-after-ms: ",
        number(buffer, static_cast<std::size_t>(ceil<milliseconds>(reply.retry_after).count())));
  } else if (reply.status == 429) {
    put("\r\nRetry-After: 1");
  }
  if (form.timing && reply.stages) {
    put("\r\nBascule-Timing: ", std::string_view(timing_text(*reply.stages)));
  }
  if (!form.keep_alive) {
    put("\r\nConnection: close");
  } else if (form.http10) {
    put("\r\nConnection: keep-alive");
  }
  put("\r\n\r\n");
}

}  // namespace bascule::http
