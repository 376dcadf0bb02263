-- Asks the hub about a request without a pass that counts; before guard.lua. See guard.py.
local ASKED = { @ASKED@ }
local TOLD = { @TOLD@ }

-- All values of a header in one, as lists have them (RFC 9110, 5.3) and cookies do (RFC 9113, 8.2.3).
local function whole(headers, name)
  local count = headers:getNumValues(name)
  if count < 2 then return headers:get(name) end
  local all = {}
  for i = 0, count - 1 do all[#all + 1] = headers:getAtIndex(name, i) end
  return table.concat(all, name == "cookie" and "; " or ", ")
end

local function question(headers)
  local asked = {
    [":method"] = headers:get(":method"), [":path"] = "@CHECK@" .. headers:get(":path"),
    [":authority"] = headers:get(":authority") or "hub", ["content-length"] = "0",
    -- A question changes nothing: where one hub has died another one is asked.
    ["x-envoy-retry-on"] = "@RETRIED@", ["x-envoy-max-retries"] = "8"
  }
  for i = 1, #ASKED do asked[ASKED[i]] = whole(headers, ASKED[i]) end
  return asked
end

local function first(value)
  if type(value) == "table" then return value[1] end
  return value
end

-- Who visits, and which cookies are the app's own.
local function for_app(name)
  if name == "cookie" or string.sub(name, 1, 7) == "remote-" then return true end
  return string.sub(name, 1, 2) == "x-" and string.sub(name, 1, 8) ~= "x-envoy-" and name ~= "@SESSION@"
end

local function pass_on(handle, said)
  local headers = handle:headers()
  for name, value in pairs(said) do
    if for_app(name) then
      headers:remove(name)
      headers:add(name, first(value))
    end
  end
  for name in string.gmatch(first(said["@REMOVED@"]) or "", "[^, ]+") do headers:remove(name) end
  -- The route adds it to the answer: a script for answers would run for each of them.
  local fresh = first(said["set-cookie"])
  if fresh then handle:streamInfo():dynamicMetadata():set("@GUARD@", "cookie", fresh) end
end

local function refuse(handle, status, words)
  local head = {
    [":status"] = status, ["content-type"] = "text/plain", ["cache-control"] = "no-store",
    ["retry-after"] = status == "503" and "1" or nil
  }
  handle:respond(head, words)
end

-- Whether the request may go on, and the visitor's sign-in if there is one. Whoever may not has been answered.
local function ask(handle)
  local options = {timeout_ms = 5000, return_duplicate_headers = true, send_xff = false}
  local said, body = handle:httpCall("@HUB@", question(handle:headers()), nil, options)
  local status = first(said[":status"])
  if status == "200" then
    pass_on(handle, said)
    return true, first(said["@SESSION@"])
  end
  if tonumber(status) >= 500 then
    refuse(handle, "503", "Whether you may visit cannot be found out just now. Try again in a moment.\n")
  else
    local answer = {[":status"] = status}
    for i = 1, #TOLD do answer[TOLD[i]] = said[TOLD[i]] end
    handle:respond(answer, body)
  end
  return false
end
