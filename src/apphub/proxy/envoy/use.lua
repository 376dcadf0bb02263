-- When this worker last told the hub that an app is used, by app. The hub is told once a minute.
local told, told_size = {}, 0
local function used(handle, id, now)
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
