-- wrk: clicks on the links of a list (URLS, one path a line), each with the headers of a real one and
-- from changing addresses. DISTINCT is how many requests are prepared.
local requests, at = {}, 0
function init(args)
  local paths = {}
  for path in io.lines(os.getenv("URLS")) do paths[#paths + 1] = path end
  for n = 1, tonumber(os.getenv("DISTINCT")) do
    requests[n] = wrk.format("GET", paths[(n - 1) % #paths + 1], {
      ["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1 Instagram 354.0.0.29.90",
      ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
      ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8", ["Accept-Encoding"] = "gzip, deflate, br",
      ["Referer"] = "https://www.instagram.com/", ["CF-IPCountry"] = "DE",
      ["CF-Connecting-IP"] = string.format("203.0.%d.%d", math.floor(n / 250) % 250, n % 250),
    })
  end
end
function request() at = at % #requests + 1; return requests[at] end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('\n@@{"requests":%d,"us":%d,"bad":%d,"p50":%d,"p99":%d}\n', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.timeout + e.status, latency:percentile(50), latency:percentile(99)))
end
