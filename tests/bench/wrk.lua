-- For wrk: sends the requests of a file that tests/bench/load reads, too (its head says how it is laid out), in turn.
-- At the end one line: answers, errors of the connection, answers of 400 and above, the time in microseconds.
-- It has no response hook: calling Lua for each answer would cost the clients more than all else they do.
local requests = {}
local number = 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for line in file:lines() do
    local request_bytes, body_bytes = line:match("^%d+ (%d+) (%d+)$")
    table.insert(requests, file:read(tonumber(request_bytes)))
    if tonumber(body_bytes) > 0 then file:read(tonumber(body_bytes)) end
  end
  file:close()
end

function request()
  number = number % #requests + 1
  return requests[number]
end

function done(summary)
  local errors = summary.errors
  print(string.format("result %d %d %d %d", summary.requests, errors.connect + errors.read + errors.write + errors.timeout, errors.status, summary.duration))
end
