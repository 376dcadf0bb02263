-- For apps that ask visitors by themselves, where the hub's own cookies are sent to its whole host: only those
-- are taken away.
local HIDDEN = { @HIDDEN@ }

function envoy_on_request(handle)
  local headers = handle:headers()
  local all = headers:get("cookie")
  if not all or not string.find(all, "__Host-", 1, true) then return end
  local kept = {}
  for part in string.gmatch(all, "[^;]+") do
    local name = string.match(part, "^[ \t]*([^=]*)")
    if not HIDDEN[name] then kept[#kept + 1] = string.match(part, "^[ \t]*(.*)$") end
  end
  if #kept == 0 then headers:remove("cookie") else headers:replace("cookie", table.concat(kept, "; ")) end
end
