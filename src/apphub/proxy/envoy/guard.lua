-- Runs for every request to a guarded app, and for those that have no route; after passes.lua, ask.lua and, where
-- use is told here, use.lua. See guard.py.
local OURS = { @OURS@ }
-- Passes that are looked at: a server below another one's path is sent two.
local MOST = 5

-- The app's own cookies, and the passes. Names are cut out by position, for a pattern over values of a
-- thousand characters takes long.
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

-- The same of a whole Cookie header, its passes checked: a browser says the same one again and again. Without a
-- pass that the hub signed nothing is remembered. Several such headers, which are run together here (proxies in
-- front may make them), are the hub's to take apart.
local jars, jars_size = {}, 0
local function jar_of(handle, headers, all)
  local jar = jars[all]
  if jar then return jar end
  if headers:getNumValues("cookie") > 1 then return {passes = {}} end
  local kept, tokens = sorted(all)
  jar = {kept = #kept > 0 and table.concat(kept, "; "), passes = {}}
  for i = 1, #tokens do jar.passes[#jar.passes + 1] = pass_of(handle, tokens[i]) end
  if #jar.passes == 0 or #all > 8192 then return jar end
  if jars_size >= @REMEMBERED@ then jars, jars_size = {}, 0 end
  jars[all], jars_size = jar, jars_size + 1
  return jar
end

-- What the route says by its name, taken apart once:
-- id|epoch|user header|groups header|,session,session,|header=value&header=value. Nil for any other name.
local rules, rules_size = {}, 0
local function rule_of(name)
  local rule = rules[name]
  if rule then return rule end
  local id, epoch, user, groups, denied, way =
    string.match(name, "^([^|]+)|([^|]+)|([^|]*)|([^|]*)|([^|]+)|([^|]+)$")
  if not id then return nil end
  rule = {id = id, epoch = epoch, user = user ~= "" and user, groups = groups ~= "" and groups, denied = {}, way = {}}
  for session in string.gmatch(denied, "[^,]+") do rule.denied[session] = true end
  for header, value in string.gmatch(way, "([^=&]+)=([^&]+)") do rule.way[#rule.way + 1] = {header, value} end
  if rules_size >= 20000 then rules, rules_size = {}, 0 end
  rules[name], rules_size = rule, rules_size + 1
  return rule
end

-- The first of the passes that is for this app and counts.
local function counting(rule, passes, now)
  for i = 1, #passes do
    local pass = passes[i]
    if pass.aud == rule.id and pass.exp > now and pass.ep == rule.epoch and not rule.denied[pass.sid] then
      return pass
    end
  end
  return nil
end

local function tell_app(headers, rule, pass, kept)
  if rule.user then headers:replace(rule.user, pass.sub) end
  if rule.groups then headers:replace(rule.groups, pass.grp or "") end
  headers:replace("@IDENTITY@", pass.idt or "")
  if kept then headers:replace("cookie", kept) else headers:remove("cookie") end
end

-- Whether a pass alone lets the request go on, and whose sign-in that is.
local function passes_by(handle, headers, rule)
  local all = headers:get("cookie")
  if not all or headers:get("authorization") then return false end
  local jar = jar_of(handle, headers, all)
  local now = os.time()
  local pass = counting(rule, jar.passes, now)
  if not pass or (elsewhere and elsewhere(headers)) then return false end
  tell_app(headers, rule, pass, jar.kept)
  if used then used(handle, rule.id, now) end
  return true, pass.sid
end

-- The app's id, once the request may go on, and the visitor's sign-in if there is one; nil where there is nothing
-- to guard (without a route a request is for the hub, or gets one of `replies`), or the visitor has been answered.
-- Where the app is comes last of all, and from here alone: whatever fails before sends the request nowhere.
local function guard(handle)
  local name = handle:streamInfo():routeName() or ""
  local rule = rule_of(name)
  if not rule then
    if name ~= "" then
      refuse(handle, "503", "This edge does not know how to guard the app: it wants an update.\n")
    elseif lead_to_hub then
      lead_to_hub(handle)
    end
    return nil
  end
  local may, session = passes_by(handle, handle:headers(), rule)
  if not may then may, session = ask(handle) end
  if not may then return nil end
  -- Not those from before: a question voids them.
  local headers = handle:headers()
  for i = 1, #rule.way do headers:replace(rule.way[i][1], rule.way[i][2]) end
  return rule.id, session
end

function envoy_on_request(handle)
  guard(handle)
end
