-- The filter `watch`, for websockets and event streams: looks at what passes as long as they are open; after use.lua.

-- Whose streams must end: the hub's list, read again once a second while data moves.
local ended, read_at = {}, 0
local function has_ended(visitor, now)
  if now ~= read_at then
    read_at, ended = now, {}
    local file = io.open("@ENDED@")
    if file then
      for line in file:lines() do ended[line] = true end
      file:close()
    end
  end
  return ended[visitor]
end

-- Everything that passes until the visitor is on the list, and nothing after that but one farewell. Programs,
-- which have no sign-in, are on no list.
local function watch(handle, visitor, farewell, seen)
  for chunk in handle:bodyChunks() do
    local now = os.time()
    if visitor and has_ended(visitor, now) then
      chunk:setBytes(farewell)
      farewell = ""
    elseif seen then
      seen(chunk, now)
    end
  end
end

-- A frame that says nothing: a ping, its answer, or the one character that socket.io keeps alive with.
local function idle(chunk)
  local size = chunk:length()
  if size < 2 then return true end
  local first = string.byte(chunk:getBytes(0, 1))
  return first == 137 or first == 138 or size <= 7
end

-- "Policy violation" as a close frame (RFC 6455, 7.4.1): from the visitor, masked with nothing, and to them.
local CLOSE_FROM, CLOSE_TO = "\136\130\0\0\0\0\3\240", "\136\2\3\240"

-- Each side of a websocket is told once that the visitor may no longer be here.
function envoy_on_request(handle)
  local ours = handle:streamInfo():dynamicMetadata():get("@GUARD@")
  if not ours then return end
  local id, visitor = ours["app"], ours["visitor"]
  used(handle, id, os.time())
  if not handle:headers():get("upgrade") then return end
  watch(handle, visitor, CLOSE_FROM, function(chunk, now)
    if not idle(chunk) then used(handle, id, now) end
  end)
end

function envoy_on_response(handle)
  local ours = handle:streamInfo():dynamicMetadata():get("@GUARD@")
  if not ours or not ours["visitor"] then return end
  local headers = handle:headers()
  local farewell = headers:get(":status") == "101" and CLOSE_TO or ""
  if farewell == "" and string.sub(headers:get("content-type") or "", 1, 17) ~= "text/event-stream" then return end
  watch(handle, ours["visitor"], farewell)
end
