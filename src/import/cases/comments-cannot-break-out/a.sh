frobnicate 'a
static: { x: {} }
'  version: 2
ip rule add from 10.0.0.1 table 'x
y: 1' pref 1
ip rule add from 10.0.0.1 table "it's: {a}" pref 2 # c
ip route add 10.0.0.0/8 dev a-name-that-is-too-long table 9
