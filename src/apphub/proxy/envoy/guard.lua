-- Runs after the pass was checked and before the hub is asked; see guard.py.
local OURS = { ["@COOKIE@"] = true, ["jupyterhub-session-id"] = true, ["jupyterhub-hub-login"] = true }

-- The app sees its own cookies only.
local function strip(headers)
  local all = headers:get("cookie")
  if not all then return end
  local kept = {}
  for part in string.gmatch(all, "[^;]+") do
    part = string.match(part, "^%s*(.-)%s*$")
    local name = string.match(part, "^([^=]*)")
    if part ~= "" and not OURS[name] then kept[#kept + 1] = part end
  end
  if #kept == 0 then headers:remove("cookie") else headers:replace("cookie", table.concat(kept, "; ")) end
end

-- A page of another site may open a websocket with the visitor's cookies: browsers only say from where.
local function foreign(headers)
  if not headers:get("upgrade") then return false end
  local origin = headers:get("origin")
  if not origin then return false end
  local host = string.match(string.lower(origin), "^https?://(.+)$")
  return host ~= string.lower(headers:get(":authority") or "")
end

-- When this worker last told the hub that an app is used, by app. The hub is told once a minute.
local told, told_size = {}, 0
local function used(handle, id)
  local now = os.time()
  local last = told[id]
  if last and now - last < @TOLD_EVERY@ then return end
  if not last then
    if told_size >= 20000 then told, told_size = {}, 0 end
    told_size = told_size + 1
  end
  told[id] = now
  local head = {[":method"] = "POST", [":path"] = "@USED@/" .. id, [":authority"] = "hub", ["content-length"] = "0"}
  handle:httpCall("@HUB@", head, nil, 5000, true)
end

-- Whether the visitor's pass is for this app and still counts.
local function counts(handle, route, id)
  local found = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local pass = found and found["pass"]
  if not pass or pass["aud"] ~= id or pass["ep"] ~= route:get("epoch") then return nil end
  local session = pass["sid"]
  if type(session) ~= "string" or type(pass["usr"]) ~= "string" then return nil end
  if string.find(route:get("denied"), "," .. session .. ",", 1, true) then return nil end
  return pass
end

local function tell_app(headers, route, pass)
  local user, groups = route:get("user"), route:get("groups")
  if user ~= "" then headers:replace(user, pass["usr"]) end
  if groups ~= "" then headers:replace(groups, pass["grp"] or "") end
  if type(pass["idt"]) == "string" then headers:replace("@IDENTITY@", pass["idt"]) end
end

-- The app's id, once the request may go on to the next filter; nil where there is nothing to guard.
local function guard(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  if (handle:streamInfo():routeName() or "") == "" then
    metadata:set("apphub.guard", "verdict", "ok")
    return nil
  end
  local headers, route = handle:headers(), handle:metadata()
  local id = route:get("id")
  if not id then return nil end
  if foreign(headers) then
    handle:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "This websocket comes from another site.\n")
    return nil
  end
  local pass = not headers:get("authorization") and counts(handle, route, id)
  if not pass then return id end
  tell_app(headers, route, pass)
  strip(headers)
  metadata:set("apphub.guard", "session", pass["sid"])
  used(handle, id)
  metadata:set("apphub.guard", "verdict", "ok")
  return id
end

function envoy_on_request(handle)
  guard(handle)
end
