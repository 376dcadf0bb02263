-- Comes before guard.lua where scopes are what paths say: a request that has no route, and whose path is not an
-- app's, is for the hub.
local APPS = { @APPS@ }
local function lead_to_hub(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  for i = 1, #APPS do
    if string.sub(path, 1, #APPS[i]) == APPS[i] then return end
  end
  headers:replace("@SCOPE@", "@HUB_PATH@")
  handle:clearRouteCache()
end
