-- wrk: signed orders of the folder ORDERS, from number OFFSET on, to the path HOOK.
local parts, rows, at = {}, {}, tonumber(os.getenv("OFFSET"))
function init(args)
  local dir = os.getenv("ORDERS")
  local file = io.open(dir .. "/body.json"); local template = file:read("*a"); file:close()
  local from = 1
  while true do
    local first, last, what = template:find("@@(%u+)", from)
    if not first then parts[#parts + 1] = template:sub(from); break end
    parts[#parts + 1] = template:sub(from, first - 1); parts[#parts + 1] = what == "ID" and 1 or 2; from = last + 1
  end
  for line in io.lines(dir .. "/orders.txt") do rows[#rows + 1] = line end
end
function request()
  at = at + 1
  local id, code, signature = rows[(at - 1) % #rows + 1]:match("(%S+) (%S+) (%S+)")
  local body = {}
  for n = 1, #parts do local part = parts[n]; body[n] = part == 1 and id or part == 2 and code or part end
  return wrk.format("POST", os.getenv("HOOK"), { ["Content-Type"] = "application/json",
    ["X-Shopify-Topic"] = "orders/create", ["X-Shopify-Hmac-Sha256"] = signature,
    ["X-Shopify-Shop-Domain"] = "bench.myshopify.com", ["X-Shopify-Webhook-Id"] = "wh-" .. id,
    ["X-Shopify-Event-Id"] = "ev-" .. id, ["User-Agent"] = "Shopify-Captain-Hook" }, table.concat(body))
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('\n@@{"requests":%d,"us":%d,"bad":%d,"p50":%d,"p99":%d}\n', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.timeout + e.status, latency:percentile(50), latency:percentile(99)))
end
