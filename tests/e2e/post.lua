-- For wrk: each client posts events one after the other, to 1000 leads in turn. The first argument is the secret.
-- At the end one line: requests completed, errors of the connection, answers that were no 2xx, the time in microseconds.
local number = 0
local secret

function init(arguments)
  secret = arguments[1]
end

function request()
  number = number + 1
  local body = string.format('{"crm_lead_id":"crm-%d","event_type":"status_changed","status":"qualified","n":%d}', number % 1000, number)
  return wrk.format("POST", "/webhooks/crm/lead", { ["Authorization"] = "Bearer " .. secret, ["Content-Type"] = "application/json" }, body)
end

function done(summary)
  local errors = summary.errors
  print(string.format("result %d %d %d %d", summary.requests, errors.connect + errors.read + errors.write + errors.timeout, errors.status, summary.duration))
end
