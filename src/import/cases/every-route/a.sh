ip route add 10.1.0.0/16 table 9 nexthop via 10.0.0.1 dev eth0 weight 3 nexthop via 10.0.0.2 dev eth1
ip route add 10.2.0.0/16 via inet6 fd00::1 dev eth0 table 9 onlink
ip route add 10.3.0.0/16 nhid 7 table 9
ip route add 10.4.0.0/16 dev eth0 table 9 mtu lock 1400 advmss 1360 rto_min 5ms scope global src 10.0.0.5
ip -6 route add default via fd00::1 dev eth0 table 9 metric 1024 pref high
ip route add default dev eth0 table 9
ip route add 10.5.0.0/16 dev eth0 table 9 encap mpls 100
ip -6 route add unreachable default dev lo metric 5 table 9
ip route add 10.6.0.0/16 dev eth0 table default tos 10
ip route add table 9
