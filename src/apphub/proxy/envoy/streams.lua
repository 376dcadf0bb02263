-- For websockets and event streams, after guard.lua: look at what passes as long as they are open.

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

-- The visitor's sign-in: as the pass said, or as the hub did when it was asked. Programs have none.
local function session_of(handle)
  local all = handle:streamInfo():dynamicMetadata()
  local ours = all:get("apphub.guard")
  if ours and ours["session"] then return ours["session"] end
  local asked = all:get("envoy.filters.http.ext_authz")
  return asked and asked["@SESSION@"]
end

-- Everything that passes until the visitor is on the list, and nothing after that but one farewell. Whose it is
-- is looked up until it is known: what is sent early passes here while the hub is still being asked.
local function watch(handle, id, farewell, seen)
  local visitor
  for chunk in handle:bodyChunks() do
    local now = os.time()
    if not visitor then
      local session = session_of(handle)
      visitor = session and id .. " " .. session
    end
    if visitor and has_ended(visitor, now) then
      chunk:setBytes(farewell)
      farewell = ""
    elseif seen then
      seen(chunk, now)
    end
  end
end

-- A page of another site may open a websocket with the visitor's cookies: browsers only say from where.
local function foreign(headers)
  local origin = headers:get("origin")
  if not origin then return false end
  local host = string.match(string.lower(origin), "^https?://(.+)$")
  return host ~= string.lower(headers:get(":authority") or "")
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
  local socket = handle:headers():get("upgrade")
  if socket and foreign(handle:headers()) then
    handle:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "This websocket comes from another site.\n")
    return
  end
  local id, session = guard(handle)
  if session then handle:streamInfo():dynamicMetadata():set("apphub.guard", "session", session) end
  if not id or not socket then return end
  watch(handle, id, CLOSE_FROM, function(chunk, now)
    if not idle(chunk) then used(handle, id, now) end
  end)
end

function envoy_on_response(handle)
  local rule = rule_of(handle:streamInfo():routeName() or "")
  if not rule then return end
  local headers = handle:headers()
  local farewell = headers:get(":status") == "101" and CLOSE_TO or ""
  if farewell == "" and string.sub(headers:get("content-type") or "", 1, 17) ~= "text/event-stream" then return end
  watch(handle, rule.id, farewell)
end
