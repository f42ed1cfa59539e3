ip ru a fr 10.1.2.3 lo 0xc9 pref 0x64
ip -4 ro a 10/8 via 10.0.0.1 tab 201 metr 5
ip r a blackhole 192.0.2.0/24 table 201
ip -6 r add 2001:db8::1/64 dev eth0 table 201
ip rule add from 10.20.3.1/16 table 201
ip route add 10.20.3.1/16 dev eth0
