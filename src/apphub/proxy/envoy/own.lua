-- For apps on hosts of their own, before guard.lua. Browsers send a visitor's cookies along with what pages of
-- neighbouring hosts ask for (SameSite knows sites, not hosts), so those may only lead people here: everything
-- else they ask for is left to the hub, which refuses it.
local function elsewhere(headers)
  local site, origin = headers:get("sec-fetch-site"), headers:get("origin")
  if site then
    if site == "same-origin" or site == "none" then return false end
  elseif not origin or string.match(string.lower(origin), "^https?://(.+)$") == headers:get(":authority") then
    return false
  end
  local method = headers:get(":method")
  return headers:get("sec-fetch-mode") ~= "navigate" or headers:get("sec-fetch-dest") ~= "document"
    or (method ~= "GET" and method ~= "HEAD")
end
