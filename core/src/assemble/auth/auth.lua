-- Asks a service whether a request may pass.
--
-- `address` is a frontend of this HAProxy that nobody else uses: it balances, speaks TLS and keeps
-- connections, and it bounds what an answer may be. So this script speaks HTTP/1.1 to it and no more.
--
-- Only where `txn.auth_passed` says so may a request pass; the rule behind the action denies all others.
-- Whatever goes wrong here leaves the variable alone.

-- How long an answer may take, in seconds.
local patience = 8
-- The most fields of an answer that are read.
local most_fields = 200

local function set(text)
    local words = {}
    for word in text:gmatch("%S+") do
        words[word] = true
    end
    return words
end

-- Fields that say how a message is framed: they are never copied.
local framing = set [[connection content-length expect host keep-alive proxy-connection te trailer
    transfer-encoding upgrade]]
-- Fields of a request that mean something for its own resource alone.
local conditions = set [[accept-encoding if-match if-modified-since if-none-match if-range
    if-unmodified-since range]]
-- Fields that tell the service about the request. A client cannot write them.
local original = set [[x-forwarded-for x-forwarded-host x-forwarded-method x-forwarded-proto
    x-forwarded-uri x-original-method x-original-uri x-original-url]]
-- Fields of an answer that say something about the answer alone.
local about_answer = set [[accept-ranges age cache-control content-disposition content-encoding
    content-language content-location content-range content-type date etag expires last-modified link
    location pragma retry-after server set-cookie strict-transport-security vary www-authenticate]]
-- Fields that HAProxy wrote into the request.
local by_haproxy = set [[x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto
    x-original-forwarded-for x-real-ip]]
-- Fields that usual services answer with: where everything is copied, a client must not write them.
local identity = {
    "remote-*", "x-auth-request-*", "x-authentik-*", "x-forwarded-access-token", "x-forwarded-email",
    "x-forwarded-groups", "x-forwarded-preferred-username", "x-forwarded-user", "x-webauth-*",
}

-- Whether a name matches a pattern with `*` and `?`. Both are gone through once, whatever they are.
local function matches(name, pattern)
    local i, j, star, back = 1, 1, nil, nil
    while i <= #name do
        local p = pattern:byte(j)
        if p == 42 then
            star, back = j, i
            j = j + 1
        elseif p == 63 or p == name:byte(i) then
            i, j = i + 1, j + 1
        elseif star then
            back = back + 1
            i, j = back, star + 1
        else
            return false
        end
    end
    while pattern:byte(j) == 42 do
        j = j + 1
    end
    return j > #pattern
end

-- A name with `-` in place of each `_`: many applications cannot tell them apart, so neither may we
-- where a client must not write a field.
local function dashed(name)
    return (name:gsub("_", "-"))
end

-- A list of fields, `name`, `pattern` or `name:source`, by its text; the texts are the operator's
-- configuration, so there are only so many.
local lists = {}
local function read(text)
    local list = lists[text]
    if list then
        return list
    end
    list = { all = false, patterns = {}, by_source = {}, forged = {}, forged_patterns = {} }
    for item in text:gmatch("[^,]+") do
        local name, source = item:match("^([^:]+):([^:]+)$")
        if item == "*" then
            list.all = true
        elseif item:find("[*?]") then
            table.insert(list.patterns, item)
            table.insert(list.forged_patterns, dashed(item))
        elseif item ~= "-" then
            name, source = name or item, source or item
            list.by_source[source] = list.by_source[source] or {}
            table.insert(list.by_source[source], name)
            list.forged[dashed(name)] = true
        end
    end
    if list.all then
        table.move(identity, 1, #identity, #list.forged_patterns + 1, list.forged_patterns)
    end
    lists[text] = list
    return list
end

local function matches_any(name, patterns)
    if #name > 256 then
        return false
    end
    for _, pattern in ipairs(patterns) do
        if matches(name, pattern) then
            return true
        end
    end
    return false
end

-- Whether a list names a field itself, or only by a pattern.
local function is_listed(list, name)
    return list.by_source[name] ~= nil or list.all or matches_any(name, list.patterns)
end

local function first(fields, name)
    return fields[name] and fields[name][0]
end

-- The request for the service.
local function question(txn, check)
    local fields = txn.http:req_get_headers()
    local list = read(check.request)
    local method = check.method == "*" and txn.sf:method() or check.method
    if not method:match("^%a+$") or method == "CONNECT" then
        method = "GET"
    end
    local text = {
        method, " ", check.path, " HTTP/1.1\r\nhost: auth\r\nconnection: close\r\n",
        "x-haproxy-auth-backend: ", check.backend, "\r\n",
    }
    local function add(name, value)
        local size = #text
        text[size + 1], text[size + 2], text[size + 3], text[size + 4] = name, ": ", value, "\r\n"
    end
    for name, values in pairs(fields) do
        if not (framing[name] or conditions[name] or original[dashed(name)])
            and name:sub(1, 15) ~= "x-haproxy-auth-" and is_listed(list, name) then
            for place = 0, #values do
                add(name, values[place])
            end
        end
    end
    local target = txn.sf:path()
    local query = txn.sf:query()
    if query ~= "" then
        target = target .. "?" .. query
    end
    local host = first(fields, "host") or ""
    local is_tls = txn.f:ssl_fc()
    local scheme = first(fields, "x-forwarded-proto")
        or ((is_tls == 1 or is_tls == true) and "https" or "http")
    local from = fields["x-forwarded-for"]
    local client = {}
    for place = 0, from and #from or -1 do
        table.insert(client, from[place])
    end
    table.insert(client, txn.sf:src())
    add("x-original-method", txn.sf:method())
    add("x-original-uri", target)
    add("x-original-url", scheme .. "://" .. host .. target)
    add("x-forwarded-for", table.concat(client, ", "))
    add("x-forwarded-host", host)
    add("x-forwarded-method", txn.sf:method())
    add("x-forwarded-proto", scheme)
    add("x-forwarded-uri", target)
    if method ~= "GET" and method ~= "HEAD" then
        add("content-length", "0")
    end
    table.insert(text, "\r\n")
    return table.concat(text), method
end

-- The content of a body in chunks.
local function joined(body)
    local parts, place = {}, 1
    while true do
        local from, to, size = body:find("^(%x+)[^\r\n]*\r\n", place)
        size = size and #size < 8 and tonumber(size, 16)
        if not size or size == 0 then
            return table.concat(parts)
        end
        table.insert(parts, body:sub(to + 1, to + size))
        place = to + size + 3
    end
end

-- The head of an answer: its status and its fields in order.
local function head(socket)
    local line = socket:receive("*l")
    local status = line and tonumber(line:match("^HTTP/1%.[01] (%d%d%d)"))
    if not status then
        return nil
    end
    local fields = {}
    for _ = 0, most_fields do
        line = socket:receive("*l")
        if not line then
            return nil
        elseif line == "" then
            return status, fields
        end
        local name, value = line:match("^([^:]+):%s*(.-)%s*$")
        if name then
            table.insert(fields, { name:lower(), value })
        end
    end
    return nil
end

-- What the service answers: a status, fields and a body; `is_own` is false where HAProxy speaks for it.
local function ask(txn, check)
    local nothing = { status = 503, fields = {}, body = "", is_own = false }
    local text, method = question(txn, check)
    local socket = core.tcp()
    socket:settimeout(patience)
    if not socket:connect(address) or not socket:send(text) then
        socket:close()
        return nothing
    end
    local status, fields = head(socket)
    while status and status < 200 do
        status, fields = head(socket)
    end
    if not status then
        socket:close()
        nothing.status = 504
        return nothing
    end
    local answer = { status = status, fields = {}, body = "", is_own = false }
    local in_chunks = false
    for _, field in ipairs(fields) do
        if field[1] == "x-haproxy-auth-status" then
            answer.status, answer.is_own = tonumber(field[2]) or 502, true
        elseif field[1] == "transfer-encoding" then
            in_chunks = true
        elseif not framing[field[1]] then
            table.insert(answer.fields, field)
        end
    end
    if status >= 300 and status ~= 304 and method ~= "HEAD" then
        local body = socket:receive("*a") or ""
        answer.body = in_chunks and joined(body) or body
    end
    socket:close()
    return answer
end

-- Takes out of the request what only the service may say, and puts in what it says.
local function admit(txn, list, answer)
    for name in pairs(txn.http:req_get_headers()) do
        local plain = dashed(name)
        local is_forged = list.forged[plain]
            or not by_haproxy[name] and matches_any(plain, list.forged_patterns)
        if is_forged and not framing[name] then
            txn.http:req_del_header(name)
        end
    end
    local seen = {}
    local function put(name, value)
        if seen[name] then
            txn.http:req_add_header(name, value)
        elseif not framing[name] then
            txn.http:req_set_header(name, value)
            seen[name] = true
        end
    end
    for _, field in ipairs(answer.fields) do
        local name, value = field[1], field[2]
        local targets = list.by_source[name]
        if targets then
            for _, target in ipairs(targets) do
                put(target, value)
            end
        elseif not about_answer[name] and not by_haproxy[name] and is_listed(list, name) then
            put(name, value)
        end
    end
end

-- Answers the client as the service does.
local function refuse(txn, list, answer)
    local status = answer.status
    if status < 300 or status > 599 or status == 304 then
        status = 502
    end
    local reply = txn:reply({ status = status })
    for _, field in ipairs(answer.fields) do
        -- A body without its type would be guessed at.
        local is_body = answer.body ~= "" and field[1]:sub(1, 8) == "content-"
        if is_body or is_listed(list, field[1]) then
            reply:add_header(field[1], field[2])
        end
    end
    reply:set_body(answer.body)
    txn:done(reply)
end

local function decide(txn, check)
    txn:set_var("txn.auth_asked", check.id)
    local answer = ask(txn, check)
    if not answer.is_own and answer.status == 503 then
        -- A HAProxy that has just started may not have found the service's address yet.
        core.msleep(300)
        answer = ask(txn, check)
    end
    local passes = answer.is_own and answer.status >= 200 and answer.status < 300
    txn:set_var("txn.auth_response_code", answer.status)
    txn:set_var("txn.auth_response_successful", passes)
    for _, field in ipairs(answer.fields) do
        if #field[1] < 64 then
            local name = field[1]:gsub("[^%w_]", "_")
            -- Only where the configuration has a variable of this name.
            txn:set_var("req.auth_response_header." .. name, field[2], true)
        end
    end
    if passes then
        admit(txn, read(check.succeed), answer)
        txn:set_var("txn.auth_passed", check.id)
    elseif check.failure == "answer" or not answer.is_own or answer.status >= 500 then
        refuse(txn, read(check.fail), answer)
    end
end

core.register_action("auth-request", { "http-req" },
    function(txn, id, backend, method, path, request, succeed, fail, failure)
        decide(txn, {
            id = id, backend = backend, method = method, path = path,
            request = request, succeed = succeed, fail = fail, failure = failure,
        })
    end, 8)

-- The same with its arguments in a variable, for a frontend, which has all paths in one line.
core.register_action("auth-request-early", { "http-req" }, function(txn)
    local words = {}
    for word in (txn:get_var("req.auth") or ""):gmatch("%S+") do
        table.insert(words, word)
    end
    if #words == 8 then
        decide(txn, {
            id = words[1], backend = words[2], method = words[3], path = words[4],
            request = words[5], succeed = words[6], fail = words[7], failure = words[8],
        })
    end
end, 0)
