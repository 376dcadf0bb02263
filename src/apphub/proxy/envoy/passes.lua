-- Passes, checked once and then remembered; comes before guard.lua.
--
-- A pass is a signed token (RFC 7519): head.claims.signature, each base64url. Whatever its head says, it is
-- checked as ES256 with the hub's own keys and with nothing else. What was signed so is what the hub wrote,
-- so its claims are cut out as the hub writes them.
local KEYS = { @KEYS@ }  -- DER, hexadecimal

local DIGITS = {}
for i = 1, 64 do
  DIGITS[string.byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", i)] = i - 1
end

-- The bytes of base64url text; nil for anything else.
local function decoded(text)
  local bytes, bits, count = {}, 0, 0
  for i = 1, #text do
    local digit = DIGITS[string.byte(text, i)]
    if not digit then return nil end
    bits, count = bits * 64 + digit, count + 6
    if count >= 8 then
      count = count - 8
      local unit = 2 ^ count
      local byte = math.floor(bits / unit)
      bytes[#bytes + 1] = string.char(byte)
      bits = bits - byte * unit
    end
  end
  return table.concat(bytes)
end

local function from_hex(text)
  return (string.gsub(text, "%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- A positive number as DER has it (X.690, 8.3): no more zeros in front than make it positive.
local function integer(bytes)
  bytes = string.gsub(bytes, "^%z+", "")
  if bytes == "" or string.byte(bytes) >= 128 then bytes = "\0" .. bytes end
  return "\2" .. string.char(#bytes) .. bytes
end

-- The two numbers of a signature (RFC 7518, 3.4) in the form that is checked (RFC 3279, 2.2.3).
local function der(signature)
  local both = integer(string.sub(signature, 1, 32)) .. integer(string.sub(signature, 33))
  return "\48" .. string.char(#both) .. both
end

local function signed(handle, text, signature)
  for _, hex in ipairs(KEYS) do
    local raw = from_hex(hex)
    local key = handle:importPublicKey(raw, #raw):get()
    if key and handle:verifySignature("sha256", key, signature, #signature, text, #text) then return true end
  end
  return false
end

-- What a pass says, be it over or not; nil for everything that is none of ours.
local function read(handle, token)
  local text, claims, tail = string.match(token, "^([%w_-]+%.([%w_-]+))%.([%w_-]+)$")
  local signature = tail and #tail == 86 and decoded(tail)
  if not signature or not signed(handle, text, der(signature)) then return nil end
  local json = decoded(claims)
  local function said(name) return string.match(json, '"' .. name .. '":"([^"\\]*)"') end
  local pass = {
    aud = said("aud"), sub = said("sub"), sid = said("sid"), ep = said("ep"), grp = said("grp"), idt = said("idt"),
    exp = tonumber(string.match(json, '"exp":(%d+)'))
  }
  if said("iss") ~= "@ISSUER@" or not (pass.aud and pass.sub and pass.sid and pass.ep and pass.exp) then return nil end
  return pass
end

-- Every worker remembers for itself: to check a signature takes as long as all the rest of a request.
local known, size = {}, 0
local function pass_of(handle, token)
  local pass = known[token]
  if pass then return pass end
  if #token > 4096 then return nil end
  pass = read(handle, token)
  if not pass then return nil end
  if size >= @REMEMBERED@ then known, size = {}, 0 end
  known[token], size = pass, size + 1
  return pass
end
