-- For websockets and event streams, after guard.lua: tells the filter `watch` whose they are, which tells of use too.
-- It is another filter because a script that has asked the hub can look at nothing that passes afterwards.

-- A page of another site may open a websocket with the visitor's cookies: browsers only say from where.
local function foreign(headers)
  local origin = headers:get("origin")
  if not origin then return false end
  local host = string.match(string.lower(origin), "^https?://(.+)$")
  return host ~= string.lower(headers:get(":authority") or "")
end

function envoy_on_request(handle)
  if handle:headers():get("upgrade") and foreign(handle:headers()) then
    return refuse(handle, "403", "This websocket comes from another site.\n")
  end
  local id, session = guard(handle)
  if not id then return end
  local found = handle:streamInfo():dynamicMetadata()
  found:set("@GUARD@", "app", id)
  -- Programs, which have no sign-in, are on no list.
  if session then found:set("@GUARD@", "visitor", id .. " " .. session) end
end
