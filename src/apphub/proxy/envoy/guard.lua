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

function envoy_on_request(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  if (handle:streamInfo():routeName() or "") == "" then
    metadata:set("apphub.guard", "verdict", "ok")
    return
  end
  local headers = handle:headers()
  local route = handle:metadata()
  local id = route:get("id")
  if not id then return end
  if foreign(headers) then
    handle:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "This websocket comes from another site.\n")
    return
  end
  if headers:get("authorization") then return end
  local found = metadata:get("envoy.filters.http.jwt_authn")
  local pass = found and found["pass"]
  if not pass or pass["aud"] ~= id or pass["ep"] ~= route:get("epoch") then return end
  local session = pass["sid"]
  if type(session) ~= "string" or type(pass["usr"]) ~= "string" then return end
  if string.find(route:get("denied"), "," .. session .. ",", 1, true) then return end
  local user, groups = route:get("user"), route:get("groups")
  if user ~= "" then headers:replace(user, pass["usr"]) end
  if groups ~= "" then headers:replace(groups, pass["grp"] or "") end
  if type(pass["idt"]) == "string" then headers:replace("@IDENTITY@", pass["idt"]) end
  strip(headers)
  metadata:set("apphub.guard", "verdict", "ok")
end
