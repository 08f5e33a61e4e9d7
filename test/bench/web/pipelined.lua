-- Each connection asks for 16 pages at once.
init = function()
  local all = {}
  for i = 1, 16 do
    all[i] = wrk.format("GET")
  end
  sixteen = table.concat(all)
end

request = function()
  return sixteen
end
