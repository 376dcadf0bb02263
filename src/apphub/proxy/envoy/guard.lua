-- Runs for every request to a guarded app, before the hub is asked; after passes.lua. See guard.py.
local OURS = { ["@COOKIE@"] = true, ["jupyterhub-session-id"] = true, ["jupyterhub-hub-login"] = true }
-- Passes that are looked at: a server below another one's path is sent two.
local MOST = 5

-- The app's own cookies, and the passes. Every request comes by here: names are cut out by position, for a
-- pattern over values of a thousand characters takes longer than all the rest.
local function sorted(all)
  local kept, passes, from, size = {}, {}, 1, #all
  while from <= size do
    local to = string.find(all, ";", from, true) or size + 1
    local first = string.find(all, "[^ \t]", from) or to
    local equals = string.find(all, "=", first, true) or to
    if equals > to then equals = to end
    local name = string.sub(all, first, equals - 1)
    if name == "@COOKIE@" and #passes < MOST then passes[#passes + 1] = string.sub(all, equals + 1, to - 1) end
    if first < to and not OURS[name] then kept[#kept + 1] = string.sub(all, first, to - 1) end
    from = to + 1
  end
  return kept, passes
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

-- The first of the passes that is for this app and counts.
local function counting(handle, route, id, passes)
  for _, token in ipairs(passes) do
    local pass = pass_of(handle, token)
    if pass and pass.aud == id and pass.exp > os.time() and pass.ep == route:get("epoch")
        and not string.find(route:get("denied"), "," .. pass.sid .. ",", 1, true) then
      return pass
    end
  end
  return nil
end

local function tell_app(headers, route, pass, cookies)
  local user, groups = route:get("user"), route:get("groups")
  if user ~= "" then headers:replace(user, pass.sub) end
  if groups ~= "" then headers:replace(groups, pass.grp or "") end
  headers:replace("@IDENTITY@", pass.idt or "")
  if #cookies == 0 then headers:remove("cookie") else headers:replace("cookie", table.concat(cookies, "; ")) end
end

-- The app's id, once the request may go on to the next filter, and the visitor's sign-in where the pass alone
-- let it through; nil where there is nothing to guard.
local function guard(handle)
  local route = handle:metadata()
  local id = route:get("id")
  if not id then
    -- Where there is no route the router sends everybody to the hub.
    if (handle:streamInfo():routeName() or "") == "" then
      handle:streamInfo():dynamicMetadata():set("apphub.guard", "verdict", "ok")
    end
    return nil
  end
  local headers = handle:headers()
  local all = headers:get("cookie")
  if not all or headers:get("authorization") then return id end
  local cookies, passes = sorted(all)
  local pass = counting(handle, route, id, passes)
  if not pass then return id end
  tell_app(headers, route, pass, cookies)
  used(handle, id)
  handle:streamInfo():dynamicMetadata():set("apphub.guard", "verdict", "ok")
  return id, pass.sid
end

function envoy_on_request(handle)
  guard(handle)
end
