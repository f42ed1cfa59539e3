ip route add 10.1.0.0/16 dev a table 9
ip route add 10.2.0.0/16 dev a table 9
ip route del 10.1.0.0/16 table 9
ip route replace 10.2.0.0/16 dev b table 9
ip route add 10.2.0.0/16 dev c table 9
ip route change 10.7.0.0/16 dev c table 9
ip route append 10.2.0.0/16 dev d table 9
ip rule add from 10.0.0.1 table 9
ip rule add from 10.0.0.1 table 9
ip rule add from 10.0.0.2 table 9
ip rule del from 10.0.0.2
ip rule del pref 4711
ip route flush table 77
ip -6 route add fd00:1::/64 dev a table 9
ip route flush table 8 proto static
ip -6 route flush table 9
ip route flush cache
