ip route del 172.16.0.0/16 dev ib0 ip route del 172.16.0.0/16 dev ib1
ip route add 172.16.0.0/16 dev ib0 proto kernel scope link src 172.16.34.1 table 941 ip route add 172.16.0.0/16 dev ib1 proto kernel scope link src 172.16.34.2 table 942
ip rule add from 172.16.34.1 table 941 ip rule add from 172.16.34.2 table 942
